import { PlatformError } from '../errors/platform-error.ts'

/**
 * The error for an unauthenticated request. Since OpenCTI 7 the platform also answers this way for a valid
 * token whose user lacks the permission to use tokens, and its answers do not distinguish the two (OpenCTI
 * platform, domain/user.js).
 */
export function tokenRefused(status: number): PlatformError {
  return new PlatformError(
    'PLATFORM_REFUSED',
    'The OpenCTI platform does not know the token, or its user may not use tokens. Check OPENCTI_TOKEN (opencti.token): the ' +
      'token of an active user of this platform, not revoked and not expired. Since OpenCTI 7 the user also needs the ' +
      'capability APIACCESS_USETOKEN: add it to the group Connectors (Settings > Security > Groups).',
    { status },
  )
}
