import { type DeliveryListener } from '../../src/flow/delivery-listener.ts'

/** For tests that do not look at what is told. */
export const quietListener: DeliveryListener = {
  onRetry: () => {},
  onOverdue: () => {},
  onDeadLetter: () => {},
  onOutage: () => {},
  onRefusing: () => {},
  onAskedPause: () => {},
  onTaken: () => {},
  onStop: () => {},
}
