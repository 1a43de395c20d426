import ky, { type KyInstance, type Options } from 'ky'
import { maxTargetPauseMs, retryAfterOf } from '../errors/retry-after.ts'
import { RetryableError } from '../errors/steering-errors.ts'
import { type Limiter } from '../flow/target-limits.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { linkedAbort } from '../util/linked-abort.ts'
import { type Credentials } from './credentials.ts'
import { followRedirects } from './follow-redirects.ts'
import { HookRequests } from './hook-call.ts'
import { type TargetNetwork, type TargetRequest } from './target-network.ts'
import { watchedResponse } from './watched-response.ts'

/** How long an answer may take with its body, in milliseconds, unless the author says otherwise. Waiting for a token does not count. */
const defaultTimeoutMs = 30_000

/** After that Node's own fetch gives up, in milliseconds. */
const longMs = 300_000

const slowDown: ReadonlySet<number> = new Set([429, 503])

/**
 * A ky instance for the author's client: every request takes a token of the bucket, and a target that asks
 * to wait slows all of them. It does not try again by itself: the engine does, with the whole picture. Requests of a hook
 * end with it.
 */
export function createTargetHttp(options: TargetHttpOptions): KyInstance {
  return ky.create({
    retry: 0,
    timeout: defaultTimeoutMs,
    hooks: { init: [takeOverTimeout] },
    fetch: (input, init) => exchange(input as Request, (init as TimedInit).timeoutMs, options),
  })
}

export interface TargetHttpOptions {
  readonly bucket: Limiter
  readonly clock: Clock
  readonly network: Pick<TargetNetwork, 'send'>
  /** Who knows the connector by what; nobody else is told. */
  readonly knownTo?: { readonly origin: string; readonly credentials: Credentials } | undefined
  /** Aborted when what is in flight is given up. */
  readonly stopped: AbortSignal
}

/** What ky hands on with a request: options that it does not know. */
interface TimedInit {
  readonly timeoutMs?: number | undefined
}

/** ky's own limit would count the wait for a token, and not the body. */
function takeOverTimeout(options: Options): void {
  HookRequests.current?.announce()
  const { timeout } = options
  const timed: TimedInit = { timeoutMs: timeout === false ? undefined : (timeout ?? defaultTimeoutMs) }
  Object.assign(options, timed, { timeout: false })
}

async function exchange(
  request: Request,
  timeoutMs: number | undefined,
  { bucket, clock, network, knownTo, stopped }: TargetHttpOptions,
): Promise<Response> {
  const hook = HookRequests.current
  const { controller, unlink } = linkedAbort([request.signal, hook?.begin(), stopped])
  const { signal } = controller
  let cancelTimer = () => {}
  const end = () => {
    cancelTimer()
    unlink()
  }
  try {
    signal.throwIfAborted()
    const sent = await wholeOf(request, signal, timeoutMs)
    const credentials =
      sent.url.origin === knownTo?.origin && !sent.headers.has('authorization')
        ? knownTo.credentials
        : undefined
    let authorization = await credentials?.authorization(signal)
    await itsTurn(bucket, clock, signal, hook)
    bucket.take()
    if (timeoutMs !== undefined)
      cancelTimer = clock.schedule(timeoutMs, () => controller.abort(tooLate(timeoutMs)))
    const send = () => {
      if (authorization !== undefined) sent.headers.set('authorization', authorization)
      return request.redirect === 'follow'
        ? followRedirects(sent, (each) => network.send(each))
        : network.send(sent)
    }
    let response = await send()
    if (response.status === 401 && authorization !== undefined && credentials!.refused(authorization)) {
      await response.body?.cancel()
      authorization = await credentials!.authorization(signal)
      bucket.take()
      response = await send()
    }
    if (slowDown.has(response.status)) {
      const pauseMs = retryAfterOf(response.headers, clock.now())
      if (pauseMs !== undefined) bucket.pause(Math.min(pauseMs, maxTargetPauseMs))
    }
    return watchedResponse(response, signal, end)
  } catch (error) {
    end()
    throw signal.aborted ? signal.reason : error
  } finally {
    hook?.end()
  }
}

/** Waits for a token; that is not the target's time. */
async function itsTurn(
  bucket: Limiter,
  clock: Clock,
  signal: AbortSignal,
  hook: HookRequests | undefined,
): Promise<void> {
  if (bucket.waitMs() === 0) return
  hook?.wait(clock.monotonic())
  try {
    for (let waitMs = bucket.waitMs(); waitMs > 0; waitMs = bucket.waitMs())
      await delay(clock, waitMs, signal)
  } finally {
    hook?.go(clock.monotonic())
  }
}

async function wholeOf(
  request: Request,
  signal: AbortSignal,
  timeoutMs: number | undefined,
): Promise<TargetRequest> {
  return {
    url: new URL(request.url),
    method: request.method,
    headers: request.headers,
    body: request.body === null ? null : await request.arrayBuffer(),
    signal,
    redirect: request.redirect === 'error' ? 'error' : 'manual',
    isLong: timeoutMs === undefined || timeoutMs >= longMs,
  }
}

function tooLate(timeoutMs: number): RetryableError {
  return new RetryableError(`The target did not answer within ${timeoutMs} ms.`, {
    cause: new DOMException('', 'TimeoutError'),
  })
}
