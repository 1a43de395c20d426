import { type KyInstance } from 'ky'
import { z } from 'zod'
import { PlatformError, type PlatformProblem } from '../errors/platform-error.ts'
import { describeError } from '../errors/verdict.ts'

/** How a GraphQL answer looks: data, errors or both. */
const answerSchema = z.object({
  data: z.unknown().optional(),
  errors: z
    .array(
      z.object({
        message: z.string(),
        extensions: z.object({ code: z.string().optional() }).loose().optional(),
      }),
    )
    .optional(),
})

/** The longest that an answer is waited for, in milliseconds: a platform under load takes its time. */
const timeoutMs = 60_000

/** The longest part of a platform's own words that is repeated, in characters. */
const maxWords = 300

/**
 * Asks the platform one question.
 *
 * @throws PlatformError `PLATFORM_UNREACHABLE` when no usable answer came, `PLATFORM_REFUSED` when the token does not
 * allow it, `PLATFORM_ERROR` for any other error of the platform.
 */
export async function askPlatform<Shape extends z.ZodType>(
  http: KyInstance,
  url: string,
  question: { readonly query: string; readonly variables?: Record<string, unknown>; readonly shape: Shape },
  signal: AbortSignal,
): Promise<z.output<Shape>> {
  const answer = await send(http, url, { query: question.query, variables: question.variables ?? {} }, signal)
  const [error] = answer.errors ?? []
  if (error !== undefined) throw explain(error.message, error.extensions?.code)
  const data = question.shape.safeParse(answer.data)
  if (!data.success) {
    throw new PlatformError(
      'PLATFORM_ERROR',
      'The platform answered in a form that this version does not understand. Check that the platform is OpenCTI 5.12 or newer.',
    )
  }
  return data.data
}

async function send(http: KyInstance, url: string, body: unknown, signal: AbortSignal) {
  let response: Response
  let text: string
  try {
    response = await http.post(`${url}/graphql`, {
      json: body,
      signal,
      timeout: timeoutMs,
      throwHttpErrors: false,
    })
    text = await response.text()
  } catch (error) {
    signal.throwIfAborted()
    throw new PlatformError(
      'PLATFORM_UNREACHABLE',
      `The platform cannot be reached: ${describeError(error)}. Check OPENCTI_URL (opencti.url), the network and, for https, the certificates.`,
      { cause: error },
    )
  }
  const answer = answerSchema.safeParse(parseJson(text))
  if (answer.success && (answer.data.errors !== undefined || answer.data.data !== undefined))
    return answer.data
  const { status } = response
  if (status === 401 || status === 403) throw refused(status)
  if (status >= 300 && status < 400) {
    throw new PlatformError(
      'PLATFORM_UNREACHABLE',
      `The platform redirects elsewhere (HTTP ${status}). Set OPENCTI_URL (opencti.url) to the address that it has in the end, with https if so.`,
      { status },
    )
  }
  throw new PlatformError(
    'PLATFORM_UNREACHABLE',
    `Something answered HTTP ${status} that is not OpenCTI's GraphQL. Check OPENCTI_URL (opencti.url), its base path, and proxies on the way.`,
    { status },
  )
}

function explain(message: string, code: string | undefined): PlatformError {
  const words = message.slice(0, maxWords)
  if (
    code === 'AUTH_REQUIRED' ||
    code === 'UNAUTHENTICATED' ||
    /must be logged in|not authenticated/i.test(message)
  ) {
    return refused(401)
  }
  const problem = problemOf(message, code)
  if (problem === 'forbidden') {
    return new PlatformError(
      'PLATFORM_REFUSED',
      `The user of OPENCTI_TOKEN lacks a right at the platform ("${words}"). Give it the capabilities to register connectors and to access data sharing, as the group Connectors has.`,
      { problem },
    )
  }
  return new PlatformError('PLATFORM_ERROR', `The platform answered with an error: ${words}`, { problem })
}

function problemOf(message: string, code: string | undefined): PlatformProblem | undefined {
  if (/no connector found/i.test(message)) return 'unknown-connector'
  if (code === 'FORBIDDEN_ACCESS' || code === 'FORBIDDEN' || /not allowed|forbidden/i.test(message))
    return 'forbidden'
  if (
    code === 'GRAPHQL_VALIDATION_FAILED' ||
    /unknown (argument|type)|cannot query field|is not defined by type/i.test(message)
  ) {
    return 'invalid-query'
  }
  return undefined
}

function refused(status: number): PlatformError {
  return new PlatformError(
    'PLATFORM_REFUSED',
    'The platform does not accept the token. Set OPENCTI_TOKEN (opencti.token) to the API token of an active user; it stands in the profile of the user.',
    { status },
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
