import { z } from 'zod'
import { PlatformError, type PlatformProblem } from '../errors/platform-error.ts'
import { parsedJson } from '../util/json-text.ts'
import { shortened } from '../util/shortened.ts'
import { describeStatus } from './describe-status.ts'
import { tokenRefused } from './token-refused.ts'

/**
 * An entry of `errors`. Depending on its version, the platform puts the kind in `extensions.code` or `name`,
 * and a status in `data.http_status` or below `extensions` (OpenCTI platform, config/errors.js).
 */
const graphqlError = z.object({
  message: z.string().catch('no message'),
  name: z.string().optional().catch(undefined),
  data: z.object({ http_status: z.number() }).optional().catch(undefined),
  extensions: z
    .object({
      code: z.string().optional().catch(undefined),
      data: z.object({ http_status: z.number() }).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
})

type GraphqlError = z.infer<typeof graphqlError>

const envelope = z
  .object({ data: z.unknown().optional(), errors: z.array(graphqlError).nullish() })
  .refine(({ data, errors }) => data !== undefined || (errors ?? []).length > 0)

/** Maximum length of a quoted error text. */
const maxMessageLength = 300

/**
 * The validated `data` of a GraphQL answer.
 *
 * @throws PlatformError for any other answer.
 */
export function answerOf<T>(response: Response, text: string, schema: z.ZodType<T>): T {
  const answer = envelope.safeParse(parsedJson(text))
  if (!answer.success) throw describeStatus(response)
  const error = answer.data.errors?.[0]
  if (error !== undefined) throw platformError(error, response.status)
  const data = schema.safeParse(answer.data.data)
  if (data.success) return data.data
  const where = data.error.issues[0]?.path.join('.') ?? ''
  throw new PlatformError(
    'PLATFORM_ERROR',
    `The OpenCTI platform's answer has an unknown form${where === '' ? '' : ` (at ${where})`}. ` +
      'Check that this package supports its version.',
    { status: response.status, problem: 'in-trouble' },
  )
}

function platformError(error: GraphqlError, status: number): PlatformError {
  const kind = `${error.extensions?.code ?? ''} ${error.name ?? ''}`
  const httpStatus = error.extensions?.data?.http_status ?? error.data?.http_status
  // The messages are for versions that send no kind.
  if (
    /AUTH_?REQUIRED|UNAUTHENTICATED/i.test(kind) ||
    httpStatus === 401 ||
    /must be logged in|not authenticated/i.test(error.message)
  ) {
    return tokenRefused(status)
  }
  if (/FORBIDDEN/i.test(kind) || httpStatus === 403 || /you are not allowed/i.test(error.message)) {
    return new PlatformError(
      'PLATFORM_REFUSED',
      "The OpenCTI platform does not allow the token's user to do this. Give the user the connector role: the " +
        'capabilities "Connectors API usage" (CONNECTORAPI) and "Access data sharing" (TAXIIAPI).',
      { status, problem: 'forbidden' },
    )
  }
  const message = shortened(error.message.replace(/\s+/g, ' '), maxMessageLength)
  return new PlatformError('PLATFORM_ERROR', `The OpenCTI platform answered with an error: ${message}`, {
    status,
    problem: problemOf(kind, message, Math.max(status, httpStatus ?? 0)),
  })
}

/** The platform's errors when the query is not at fault (OpenCTI platform, config/errors.js; Apollo Server). */
const troubleKinds =
  /DATABASE_ERROR|LOCK_ERROR|UNKNOWN_ERROR|INTERNAL_SERVER_ERROR|TOO_MANY_REQUESTS|TIMEOUT|UNAVAILABLE/i

function problemOf(kind: string, message: string, status: number): PlatformProblem | undefined {
  // OpenCTI platform, domain/connector.ts: "No connector found with the specified ID".
  if (/no connector found/i.test(message)) return 'unknown-connector'
  // The messages of graphql-js, for servers that send no code.
  const isInvalid =
    /GRAPHQL_VALIDATION_FAILED|GRAPHQL_PARSE_FAILED|BAD_USER_INPUT/.test(kind) ||
    /^(Unknown (argument|type)|Cannot query field|Variable "\$|Field ".*" is not defined)/.test(message)
  if (isInvalid) return 'invalid-query'
  return troubleKinds.test(kind) || status >= 500 || status === 429 ? 'in-trouble' : undefined
}
