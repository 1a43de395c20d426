import ky, { type KyInstance, type Options } from 'ky'
import { maxTargetPauseMs, retryAfterOf } from '../errors/retry-after.ts'
import { RetryableError } from '../errors/steering-errors.ts'
import { type Limiter } from '../flow/target-limits.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { linkedAbort } from '../util/linked-abort.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type Credentials } from './credentials.ts'
import { followRedirects } from './follow-redirects.ts'
import { HookRequests } from './hook-call.ts'
import { type TargetNetwork, type TargetRequest } from './target-network.ts'
import { watchedResponse } from './watched-response.ts'

/** Default timeout of a response including its body, in milliseconds. Waiting for a token does not count. */
const defaultTimeoutMs = 30_000

/** Node's own fetch gives up after this time, in milliseconds. */
const longMs = 300_000

const slowDown: ReadonlySet<number> = new Set([429, 503])

/**
 * Creates a ky instance for the author: every request takes a token from the bucket, and a target that asks
 * to wait slows down all of them. It does not retry, because the engine does, with a better view. Requests of
 * a hook end with it.
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
  /** Credentials, and the only origin to send them to. */
  readonly knownTo?: { readonly origin: string; readonly credentials: Credentials } | undefined
  /** Aborts when the connector abandons work in flight. */
  readonly stopped: AbortSignal
}

/** Options ky passes on with a request without knowing them. */
interface TimedInit {
  readonly timeoutMs?: number | undefined
}

/** ky's own timeout would include the wait for a token, and exclude the body. */
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
  // The signal of a hook aborts when the connector stops, too.
  const { controller, unlink } = linkedAbort([request.signal, hook?.begin() ?? stopped])
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
    await untilHeld(hook, signal)
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
    return await watchedResponse(response, signal, end)
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

/** Waits while this copy of the connector does not hold the lease of its state. */
async function untilHeld(hook: HookRequests | undefined, signal: AbortSignal): Promise<void> {
  for (;;) {
    const held = hook?.whenHeld()
    if (held === undefined) return
    await raceWithSignal(signal, () => held)
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
    body: request.body === null ? null : await bytesOf(request.body),
    signal,
    redirect: request.redirect === 'error' ? 'error' : 'manual',
    isLong: timeoutMs === undefined || timeoutMs >= longMs,
  }
}

/**
 * Reads a whole upload, and leaves its stream unlocked: ky cancels it afterwards, and an error with its stack trace for every
 * request, because the stream is locked, would cost 20 µs.
 */
async function bytesOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader()
  const chunks: Uint8Array<ArrayBuffer>[] = []
  for (let part = await reader.read(); !part.done; part = await reader.read()) chunks.push(part.value)
  reader.releaseLock()
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

function tooLate(timeoutMs: number): RetryableError {
  return new RetryableError(`The target did not answer within ${timeoutMs} ms.`, {
    cause: new DOMException('', 'TimeoutError'),
  })
}
