import { expect, test } from 'vitest'
import { problemsOf } from '../fixtures/compile-blocks.ts'

/** A connector with the rest that every one of them has. */
const connector = (base: string, body: string, end = '', before = '') => `
import { StreamConnector, defineSettings, nameOf, secret, z } from 'opencti-stream-connector'
import type { ConnectorDefaults, Entity, FlushOperation, KyInstance, NoSettings, SettingsDefinition, SettingsOf } from 'opencti-stream-connector'
const settings = defineSettings({ my_siem: z.object({ url: z.url(), api_key: secret(), every_s: z.number() }) })
interface Item { name: string }
${before}
export class SiemConnector extends ${base} {
  ${body}
  transform(entity: Entity) { return { name: nameOf(entity) } }
  override create(item: Item) {}
}
${end}`

const own = 'static override readonly settings = settings\n'
const base = 'StreamConnector<typeof settings, Item>'
const run = 'await SiemConnector.run()'

const right: Record<string, string> = {
  'settings and an item': connector(base, own, run),
  'an item, no settings': connector('StreamConnector<NoSettings, Item>', '', run),
  'no settings of any type': connector('StreamConnector<SettingsDefinition, Item>', '', run),
  'settings whose type was widened': connector(
    base,
    'static override readonly settings: SettingsDefinition = settings',
    run,
  ),
  'a class between': connector(
    'Shared<typeof settings>',
    own,
    run,
    'abstract class Shared<Own extends SettingsDefinition> extends StreamConnector<Own, Item> {}',
  ),
  'a class of a class with settings': connector(
    base,
    own,
    'class Other extends SiemConnector {}\nawait Other.run()',
  ),
  defaults: connector(
    base,
    `${own}static override readonly defaults = {
      filter: { types: ['indicator'], maxTlp: 'TLP:AMBER' },
      on: { expired: 'delete' },
      coalesce: 'latest',
      routes: { all: { when: (entity) => entity.type === 'indicator' } },
    } satisfies ConnectorDefaults`,
    run,
  ),
  'defaults that follow settings': connector(
    base,
    `${own}static override readonly defaults = ({ my_siem }: SettingsOf<typeof settings>) =>
      ({ batch: { maxWaitMs: my_siem.every_s * 1000 } }) satisfies ConnectorDefaults`,
    run,
  ),
  'operations of a batch': connector(
    base,
    `${own}override flush(operations: readonly FlushOperation<Item>[]) {
      for (const operation of operations) console.log(operation.kind === 'delete' ? operation.context.externalId : operation.item.name)
      for (const { kind, item } of operations) if (kind !== 'delete') console.log(item.name)
    }`,
    run,
  ),
  'the type of a client of the target': connector(
    base,
    `${own}readonly client: KyInstance = this.targetHttp({ url: this.settings.my_siem.url })`,
    run,
  ),
}

const wrong: Record<string, readonly [code: string, says: RegExp]> = {
  'settings that the class does not have': [
    connector(base, '', run),
    /Add `static override readonly settings = settings` to the class/,
  ],
  'settings of another class': [
    connector(
      base,
      'static override readonly settings = defineSettings({ my_edr: z.object({ url: z.url() }) })',
      run,
    ),
    /Add `static override readonly settings = settings` to the class/,
  ],
  'settings that the type parameter does not name': [
    connector('StreamConnector<NoSettings, Item>', `${own}readonly url = this.settings.my_siem.url`, run),
    /Property 'my_siem' does not exist/,
  ],
  'a default that is none': [
    connector(
      base,
      `${own}static override readonly defaults = { concurency: 4 } satisfies ConnectorDefaults`,
    ),
    /'concurency' does not exist in type 'ConnectorDefaults'. Did you mean to write 'concurrency'\?|Object literal may only specify known properties, but 'concurency'/,
  ],
  'a default of a filter that is none': [
    connector(
      base,
      `${own}static override readonly defaults = { filter: { maxTLP: 'TLP:RED' } } satisfies ConnectorDefaults`,
    ),
    /maxTLP.*maxTlp/,
  ],
  'a default that is none, by a function': [
    connector(
      base,
      `${own}static override readonly defaults = (_: SettingsOf<typeof settings>) => ({ concurency: 4 }) satisfies ConnectorDefaults`,
    ),
    /concurency.*concurrency/,
  ],
  'the item of a delete': [
    connector(
      base,
      `${own}override flush(operations: readonly FlushOperation<Item>[]) { for (const { item } of operations) console.log(item.name) }`,
    ),
    /'item' is possibly 'undefined'/,
  ],
}

test('the compiler reports what would otherwise fail at run time, and nothing else', () => {
  const pieces = new Map([
    ...Object.entries(right),
    ...Object.entries(wrong).map(([name, [code]]) => [name, code] as const),
  ])
  const problems = problemsOf(pieces)
  const saidOf = (name: string) =>
    problems
      .filter((problem) => problem.startsWith(`${name}: `))
      .map((problem) => problem.replaceAll(/\s+/g, ' '))
  for (const name of Object.keys(right)) expect(saidOf(name), name).toEqual([])
  for (const [name, [, says]] of Object.entries(wrong)) {
    expect(saidOf(name).join('\n'), name).toMatch(says)
  }
}, 120_000)
