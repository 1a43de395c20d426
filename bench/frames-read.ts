/** Resolves once all events have arrived. */
export interface Whole extends Promise<void> {
  isDone: boolean
}

/** Parses the data of events and uses each result, so that V8 cannot optimize the work away. */
export function framesRead(events: number): {
  readonly onData: (data: string) => void
  readonly whole: Whole
} {
  const { promise, resolve } = Promise.withResolvers<void>()
  const whole = Object.assign(promise, { isDone: false })
  let received = 0
  const onData = (data: string) => {
    const envelope = JSON.parse(data) as { readonly data: { readonly id: string } }
    if (!/^(indicator|report)--.{36}$/.test(envelope.data.id))
      throw new Error('This event is none of this benchmark.')
    if (++received !== events) return
    whole.isDone = true
    resolve()
  }
  return { onData, whole }
}
