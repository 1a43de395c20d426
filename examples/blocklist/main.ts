import { BlockListConnector } from './connector.ts'
import { PulledListConnector } from './pulled-list.ts'
import { SnapshotConnector } from './snapshot.ts'

// `node main.ts`, `node main.ts snapshot`, or `node main.ts pulled-list`
const way = process.argv[2]
if (way === 'snapshot') await SnapshotConnector.run()
else if (way === 'pulled-list') await PulledListConnector.run()
else await BlockListConnector.run()
