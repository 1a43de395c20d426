import { Command } from 'commander'
import { acceptCommand } from './accept.ts'
import { checkCommand } from './check.ts'
import { createCommand } from './create/create-command.ts'
import { deadLettersCommand } from './dead-letters.ts'
import { examplesCommand } from './create/examples-command.ts'
import { idMapCommand } from './id-map.ts'
import { snapshotCommand } from './snapshot.ts'
import { playCommand } from './play.ts'
import { flushed } from './output.ts'
import { hideWarnings } from './quiet-warnings.ts'
import { exitCodeHelp, runCommandLine } from './run-command-line.ts'
import { recordCommand } from './record.ts'
import { schemaCommand } from './schema.ts'
import { simulateCommand } from './simulate.ts'
import { stateCommand } from './state.ts'
import { tailCommand } from './tail.ts'
import { version } from '../util/version.ts'

const help = `
Examples:
  opencti-stream create my-connector --from webhook   a new connector
  opencti-stream check src/main.ts   is everything ready for the connector?
  opencti-stream tail --from 1h      what happened, then live
  opencti-stream simulate            a local platform, without OpenCTI

Each command has its own --help with examples.
`

const program = new Command('opencti-stream')
  .description('Tools for OpenCTI stream connectors.')
  .version(version, '-v, --version', 'print the package version')
  .addCommand(checkCommand())
  .addCommand(acceptCommand())
  .addCommand(tailCommand())
  .addCommand(recordCommand())
  .addCommand(playCommand())
  .addCommand(simulateCommand())
  .addCommand(deadLettersCommand())
  .addCommand(stateCommand())
  .addCommand(idMapCommand())
  .addCommand(snapshotCommand())
  .addCommand(schemaCommand())
  .addCommand(createCommand())
  .addCommand(examplesCommand())
  .addHelpText('after', help + exitCodeHelp)

hideWarnings()
const code = await runCommandLine(program, process.argv.slice(2))
await Promise.all([flushed(process.stdout), flushed(process.stderr)])
// Importing a connector may open a pool or server, which would keep this process alive.
process.exit(code)
