import { Command } from 'commander'
import { writeJson, writeLine } from '../output.ts'
import { paintFor } from '../paint.ts'
import { exitCodeHelp } from '../run-command-line.ts'
import { installationOf, packagedExamples } from './packaged-example.ts'

const help = `
Examples:
  opencti-stream examples
  opencti-stream create my-connector --from webhook
`

/**
 * The `examples` command: lists the connectors that `create` copies.
 *
 * @example
 * ```sh
 * opencti-stream examples
 * ```
 */
export function examplesCommand(): Command {
  return new Command('examples')
    .description('List the connectors that create can copy, and the server that each is tested against.')
    .option('--json', 'print a JSON array')
    .addHelpText('after', help + exitCodeHelp)
    .action(({ json }: { json?: boolean }) => listExamples(json === true))
}

async function listExamples(asJson: boolean): Promise<void> {
  const examples = [...(await packagedExamples()).values()]
  if (asJson) {
    return writeJson(
      examples.map(({ name, package: { description, opencti } }) => ({
        name,
        description,
        target: opencti.target,
        install: installationOf(opencti),
      })),
    )
  }
  const paint = paintFor()
  const width = Math.max(...examples.map(({ name }) => name.length))
  for (const {
    name,
    package: { description, opencti },
  } of examples) {
    const installation = installationOf(opencti)
    const server = `${opencti.target}${installation === undefined ? '' : `: ${installation}`}`
    await writeLine(`${paint('bold', name.padEnd(width))}  ${description}  ${paint('dim', `[${server}]`)}`)
  }
}
