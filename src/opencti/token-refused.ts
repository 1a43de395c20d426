import { PlatformError } from '../errors/platform-error.ts'

/**
 * The platform takes whoever sent the request for nobody. Since OpenCTI 7 it does so too with a good token whose user lacks
 * the right to use tokens, and nothing in its answers tells the two apart (OpenCTI platform, domain/user.js).
 */
export function tokenRefused(status: number): PlatformError {
  return new PlatformError(
    'PLATFORM_REFUSED',
    'The OpenCTI platform does not know the token, or its user may not use tokens. Check OPENCTI_TOKEN (opencti.token): the ' +
      'token of an active user of this platform, not revoked and not expired. Since OpenCTI 7 the user also needs the ' +
      'capability APIACCESS_USETOKEN: put it into the group Connectors (Settings > Security > Groups).',
    { status },
  )
}
