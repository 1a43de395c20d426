import { judge } from '../errors/verdict.ts'
import { type Clock } from '../util/clock.ts'
import { type Batcher } from './batcher.ts'
import { delivered } from '../events/event-counters.ts'
import { type ItemAnswer } from './flush-answer.ts'
import { type Gate } from './gate.ts'
import { type Operation } from '../events/operation.ts'
import { type DeliveryListener } from './delivery-listener.ts'
import { type OperationHandler, type OverdueListener } from './operation-handler.ts'
import { type Settler } from './settler.ts'

/** Sends batches, and settles each of their operations by its answer. */
export class BatchSender implements OverdueListener {
  readonly #options: BatchSenderOptions

  constructor(options: BatchSenderOptions) {
    this.#options = options
  }

  async send(operations: readonly Operation[]): Promise<void> {
    const { gate, handler, settler, batcher, engine } = this.#options
    gate.enter(operations)
    const startedMs = Math.round(this.#options.clock.monotonic())
    for (const operation of operations) operation.startedMs = startedMs
    let answers: readonly ItemAnswer[] | undefined
    try {
      answers = await handler.flush(operations, this)
      if (settler.returned(operations)) batcher.returned()
    } catch (error) {
      const wasOverdue = settler.returned(operations)
      if (wasOverdue) batcher.returned()
      this.#failed(operations, error, wasOverdue)
    }
    if (answers !== undefined) this.#answered(operations, answers)
    batcher.sent()
    engine.sent(operations[0]!)
  }

  #answered(operations: readonly Operation[], answers: readonly ItemAnswer[]): void {
    const { gate, settler } = this.#options
    const statuses = new Set(answers.map(({ status }) => status))
    const done = operations.filter((_, index) => isDefinite(answers[index]!))
    const hasWorked = statuses.has('ok')
    if (statuses.has('retry')) gate.pushedBack(operations)
    if (hasWorked) gate.worked(done, operations)
    else if (done.length > 0) gate.answered(done, operations)
    else if (!statuses.has('retry')) gate.wasted(operations)
    const unclear: Operation[] = []
    for (const [index, operation] of operations.entries()) {
      const answer = answers[index]!
      if (answer.status === 'ok') {
        settler.end(operation, delivered)
        continue
      }
      if (answer.status === 'unusable' && operations.length > 1) {
        unclear.push(operation)
        continue
      }
      const verdict = settler.judge(answer.error, operation)
      // A target that accepted other items is not down, however many it wants again, and does not refuse
      // everything.
      if (hasWorked) {
        gate.failedBesideOthers(verdict, operation)
        settler.failedBesideOthers(operation, verdict, operations)
      } else {
        if (done.length === 0) gate.failed(verdict, [operation], operations)
        else gate.failedBesideOthers(verdict, operation)
        settler.failed(operation, verdict, operations)
      }
    }
    if (unclear.length > 0) this.#split(unclear)
  }

  /** The call exceeded its time: that is the target's failure, and other batches may take its place. */
  overdue(hook: string, operations: readonly Operation[], error: unknown): void {
    const { gate, settler, batcher, listener, route, clock, engine } = this.#options
    listener.onOverdue(hook, operations, route)
    if (settler.isStopped) return
    gate.failed(judge(error, true, clock.now()), operations, operations)
    settler.overdue(operations)
    batcher.sent()
    engine.sent(operations[0]!)
  }

  #failed(operations: readonly Operation[], error: unknown, wasOverdue: boolean): void {
    const { gate, settler, listener, attempts, clock } = this.#options
    const verdict = judge(error, true, clock.now())
    // The timeout was already reported.
    if (!wasOverdue || verdict.facts.code !== 'HOOK_TIMEOUT') gate.failed(verdict, operations, operations)
    if (verdict.kind === 'stop') {
      gate.wasted(operations)
      for (const operation of operations) settler.keep(operation)
      listener.onStop(verdict)
    } else if (
      operations.length === 1 ||
      verdict.kind === 'skip' ||
      (verdict.kind === 'reject' && gate.isRefusing)
    ) {
      for (const operation of operations) settler.failed(operation, verdict, operations)
    } else if (verdict.kind === 'reject') {
      gate.rejected(verdict, operations, operations)
      this.#split(operations)
    } else {
      const held = operations.filter((each) => gate.isHeldAgainst(each, verdict, attempts))
      // While the target is down, no failure counts against an operation. A whole batch that fails for
      // another reason would never show that the target is back.
      const hidesTarget = gate.outageReason !== undefined && verdict.kind === 'retry' && !verdict.ofTarget
      if (held.length > 0 || hidesTarget) this.#split(operations)
      else for (const operation of operations) settler.tryAgain(operation, verdict, operations)
    }
  }

  /** One of them is bad, but which one is unknown: halve the batch until it is alone. */
  #split(operations: readonly Operation[]): void {
    const { settler } = this.#options
    if (settler.isStopped) {
      for (const operation of operations) settler.keep(operation)
      return
    }
    const middle = Math.ceil(operations.length / 2)
    const halves = [operations.slice(0, middle), operations.slice(middle)]
    this.#options.batcher.resend(...halves.filter(({ length }) => length > 0))
  }
}

export interface BatchSenderOptions {
  readonly handler: Pick<OperationHandler, 'flush'>
  readonly listener: Pick<DeliveryListener, 'onStop' | 'onOverdue'>
  readonly gate: Gate
  readonly settler: Settler
  /** Notified when a batch is over, and takes back what must be split. */
  readonly batcher: Pick<Batcher, 'sent' | 'returned' | 'resend'>
  /** Maximum number of attempts per event while the target otherwise works. */
  readonly attempts: number
  readonly clock: Clock
  /** Route of the operations. Undefined without routes. */
  readonly route?: string | undefined
  /** A batch is over; this was its first operation. Others may start. */
  readonly engine: { sent(first: Operation): void }
}

/** Whether the target has settled the item one way or the other. */
function isDefinite({ status }: ItemAnswer): boolean {
  return status === 'ok' || status === 'reject'
}
