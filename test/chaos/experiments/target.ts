import { onTestFinished } from 'vitest'
import { JsonServer } from '../../fixtures/json-server.ts'

/** A hook call of the child. */
export interface HookCall {
  readonly hook: 'create' | 'update' | 'delete'
  readonly key: string
  readonly position: string
  readonly name: string
}

/** Whether a hook succeeds or throws. */
export type Answer = 'taken' | 'throw'

/** The target of the child. */
export class ExperimentTarget {
  /** Accepted calls, in the order of the answers. */
  readonly taken: HookCall[] = []
  /** All hook calls, accepted or not. */
  readonly asked: (readonly HookCall[])[] = []
  /** Decides how the hook of these calls ends. */
  answer: (calls: readonly HookCall[]) => Answer | Promise<Answer> = () => 'taken'
  readonly #server = new JsonServer(async (body, response) => {
    const calls = body as readonly HookCall[]
    this.asked.push(calls)
    const answer = await this.answer(calls)
    if (response.destroyed) return
    if (answer === 'taken') this.taken.push(...calls)
    response.end(answer)
  })

  /** Closed at the end of the test. */
  static async start(): Promise<ExperimentTarget> {
    const target = new ExperimentTarget()
    await target.#server.open()
    onTestFinished(() => target.#server.close())
    return target
  }

  get url(): string {
    return this.#server.url
  }

  /** The names that each entity received, in order. */
  names(): Record<string, string[]> {
    const names: Record<string, string[]> = {}
    for (const { key, name } of this.taken) (names[key] ??= []).push(name)
    return names
  }
}
