import { onTestFinished } from 'vitest'
import { JsonServer } from '../../fixtures/json-server.ts'

/** What a hook of the child is asked to do. */
export interface HookCall {
  readonly hook: 'create' | 'update' | 'delete'
  readonly key: string
  readonly position: string
  readonly name: string
}

/** Whether a hook ends well or throws. */
export type Answer = 'taken' | 'throw'

/** The target of the child. */
export class ExperimentTarget {
  /** What was taken, in the order of the answers. */
  readonly taken: HookCall[] = []
  /** What was asked, taken or not: one entry for each call of a hook. */
  readonly asked: (readonly HookCall[])[] = []
  /** What becomes of the hook that tells of these calls, now or later. */
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

  /** The names that each entity was told to have, in order. */
  names(): Record<string, string[]> {
    const names: Record<string, string[]> = {}
    for (const { key, name } of this.taken) (names[key] ??= []).push(name)
    return names
  }
}
