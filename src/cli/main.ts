#!/usr/bin/env node
import { Command } from 'commander'
import { checkCommand } from './check.ts'
import { deadLettersCommand } from './dead-letters.ts'
import { idMapCommand } from './id-map.ts'
import { hideSqliteWarning } from './quiet-warnings.ts'
import { exitCodeHelp, runCommandLine } from './run-command-line.ts'
import { simulateCommand } from './simulate.ts'
import { stateCommand } from './state.ts'

const program = new Command('opencti-stream')
  .description('Tools for OpenCTI stream connectors.')
  .addCommand(checkCommand())
  .addCommand(simulateCommand())
  .addCommand(deadLettersCommand())
  .addCommand(stateCommand())
  .addCommand(idMapCommand())
  .addHelpText('after', exitCodeHelp)

hideSqliteWarning()
process.exitCode = await runCommandLine(program, process.argv.slice(2))
