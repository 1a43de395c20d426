import { parseArgs } from 'node:util'
import { buildKnowledgeBase } from 'opencti-stream-connector/testing'
import { BundleError, readBundle } from './bundle.ts'
import { ExampleError, tellExample } from './example-story.ts'
import { Screen } from './screen.ts'
import { tellStory, type Plan } from './story.ts'

const usage = `npm run demo                      half a minute with a platform, a SIEM and a connector between them
npm run demo -- --bundle FILE     takes a STIX 2.1 bundle to the SIEM and accounts for every object
npm run demo -- --example NAME    runs another example against its real target, and shows what that holds in the end`

/** What the exit code says: all agrees, something differs, wrong arguments, Ctrl-C. */
const exitCodes = { agrees: 0, differs: 1, usage: 2, interrupted: 130 } as const

const screen = new Screen(process.stdout)
const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort())
process.exitCode = await main()

async function main(): Promise<number> {
  let plan: Plan
  try {
    const { values } = parseArgs({
      options: { bundle: { type: 'string' }, example: { type: 'string' }, help: { type: 'boolean' } },
    })
    if (values.help === true) {
      screen.line(usage)
      return exitCodes.agrees
    }
    if (values.example !== undefined) return await showExample(values.example)
    plan = values.bundle === undefined ? wholePlan() : await bundlePlan(values.bundle)
  } catch (error) {
    const isBundle = error instanceof BundleError
    process.stderr.write(
      `${error instanceof Error ? error.message : String(error)}\n${isBundle ? '' : `${usage}\n`}`,
    )
    return isBundle ? exitCodes.differs : exitCodes.usage
  }
  screen.line(
    screen.style('bold', 'OpenCTI (simulated) ── live stream ──▶ connector ── HTTP ──▶ SIEM') +
      screen.style('dim', '   examples/siem/connector.ts'),
  )
  try {
    const differences = await tellStory(plan, screen, interrupt.signal)
    if (differences.length > 0) {
      screen.line(screen.style('red', `\n✖ SIEM and platform differ: ${differences.length} differences.`))
      return exitCodes.differs
    }
  } catch (error) {
    if (interrupt.signal.aborted) return exitCodes.interrupted
    process.stderr.write(`The demo broke off: ${error instanceof Error ? error.stack : String(error)}\n`)
    return exitCodes.differs
  }
  screen.line(screen.style('green', '\n✔ SIEM and platform agree in every entity.'))
  screen.line(
    'Against a real OpenCTI: copy examples/siem/config.yml.sample to examples/siem/config.yml, fill it in, and run ' +
      '"node examples/siem/main.ts".',
  )
  return exitCodes.agrees
}

async function showExample(name: string): Promise<number> {
  try {
    return (await tellExample(name, screen, interrupt.signal)) ? exitCodes.agrees : exitCodes.differs
  } catch (error) {
    if (interrupt.signal.aborted) return exitCodes.interrupted
    const text =
      error instanceof ExampleError ? error.message : `The demo broke off: ${(error as Error).stack}`
    process.stderr.write(`${text}\n`)
    return exitCodes.differs
  }
}

function wholePlan(): Plan {
  return {
    knowledge: buildKnowledgeBase({ seed: 1, size: 1000 }),
    changesPerSecond: 60,
    latencyMs: 20,
    liveMs: 22_000,
    downMs: 3000,
  }
}

async function bundlePlan(path: string): Promise<Plan> {
  const bundle = await readBundle(path)
  return { knowledge: bundle, bundle, changesPerSecond: 20, latencyMs: 5, liveMs: 8000, downMs: 2000 }
}
