import { type ConnectorNotice } from '../../contract/notices.ts'

/** A clock that is off, in words. */
export function describeClock({ clock, aheadMs }: Extract<ConnectorNotice, { kind: 'clock-off' }>): string {
  const subject = {
    connector: 'The clock of this machine is',
    'web-server': "The clock of the platform's web server is",
    database: "The clock of the platform's database (Redis) is",
  }[clock]
  const other = clock === 'connector' ? "the platform's" : 'the other clocks'
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  const order = aheadMs > 0 ? 'ahead of' : 'behind'
  return `${subject} ${seconds} s ${order} ${other}. No event is lost, but times differ: set it by NTP`
}
