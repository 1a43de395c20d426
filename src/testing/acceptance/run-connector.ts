/**
 * The program of a process that `acceptTarget` starts and kills: runs a connector as `run()` does, and tells its parent
 * about it when asked.
 */
import { fileURLToPath } from 'node:url'
import { loadConnector } from '../../connector/load-connector.ts'
import { type StreamConnector } from '../../connector/stream-connector.ts'
import { type ChildReport, type ChildRequest } from './child-messages.ts'

type Runnable = { run(): Promise<never> } & (new () => StreamConnector)

const address = new URL(process.argv.at(-1)!)
const name = address.hash.slice(1)
address.hash = ''
let connector: StreamConnector | undefined

const tell = (report: ChildReport) => {
  // The parent may be gone.
  if (process.connected) process.send!(report)
}
// Nobody would ever stop it.
process.on('disconnect', () => process.exit(1))
process.on('message', ({ id }: ChildRequest) => {
  const status = connector?.status()
  tell({ kind: 'status', id, status })
})

const loaded = await loadConnector(fileURLToPath(address), name === '' ? undefined : name)
const observed = new Proxy(loaded.connector as unknown as Runnable, {
  construct(Connector, parameters) {
    const made = Reflect.construct(Connector, parameters) as StreamConnector
    connector = made
    const { delivery } = made
    const { where: _where, ...filter } = delivery.filter
    const hooks = ['create', 'update', 'delete', 'flush', 'replaceAll', 'find', 'list', 'link'] as const
    const about = {
      name: made.settings.connector.name,
      filter,
      on: delivery.on,
      hooks: hooks.filter((hook) => made[hook] !== undefined),
      hasLists: Object.keys((Connector as { lists?: object }).lists ?? {}).length > 0,
    }
    // By then it listens to signals.
    setImmediate(tell, { kind: 'made', about })
    return made
  },
})
await observed.run()
