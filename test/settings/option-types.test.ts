import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { expect, expectTypeOf, test } from 'vitest'
import { type z } from 'zod'
import { optionTypes } from '../../scripts/option-types.ts'
import { type ConnectorDefaults } from '../../src/settings/schemas/connector-defaults.ts'
import { type connectorSchema } from '../../src/settings/schemas/connector-schema.ts'
import { type ConnectorSettings } from '../../src/settings/schemas/connector-settings.ts'
import { type DeliveryOptions } from '../../src/settings/schemas/delivery-options.ts'
import { type deliverySchema } from '../../src/settings/schemas/delivery-schema.ts'
import { type FilterOptions, type ResolvedFilterOptions } from '../../src/settings/schemas/filter-options.ts'
import { type filterSchema } from '../../src/settings/schemas/filter-schema.ts'
import { type openctiSchema } from '../../src/settings/schemas/opencti-schema.ts'
import { type OpenctiSettings } from '../../src/settings/schemas/opencti-settings.ts'
import { type RouteChanges, type RouteOptions } from '../../src/settings/schemas/route-options.ts'
import { type routeChangeSchema, type routeSchema } from '../../src/settings/schemas/route-schema.ts'
import { type DeepReadonly } from '../../src/settings/schemas/settings-of.ts'
import { type TargetSection } from '../../src/settings/schemas/target-section.ts'
import { type TargetSettings } from '../../src/settings/schemas/target-settings.ts'

test('the option interfaces match the schemas: if not, run npm run generate', async () => {
  const written = await optionTypes()
  expect(written.size).toBe(8)
  for (const [file, text] of written) {
    expect(await readFile(file, 'utf8'), basename(file.pathname)).toBe(text)
  }
})

test('an author writes what the schemas read', () => {
  expectTypeOf<z.input<typeof deliverySchema>>().toEqualTypeOf<
    Omit<ConnectorDefaults, 'name' | 'scope' | 'start'>
  >()
  expectTypeOf<z.input<typeof filterSchema>>().toEqualTypeOf<FilterOptions>()
  expectTypeOf<z.input<typeof routeSchema>>().toEqualTypeOf<RouteOptions>()
})

test('the effective options are what the schemas return', () => {
  expectTypeOf<DeepReadonly<z.output<typeof deliverySchema>>>().toEqualTypeOf<DeliveryOptions>()
  expectTypeOf<DeepReadonly<z.output<typeof filterSchema>>>().toEqualTypeOf<ResolvedFilterOptions>()
  expectTypeOf<DeepReadonly<z.output<typeof routeChangeSchema>>>().toEqualTypeOf<RouteChanges>()
  expectTypeOf<DeepReadonly<z.output<typeof connectorSchema>>>().toEqualTypeOf<ConnectorSettings>()
  expectTypeOf<z.output<typeof openctiSchema>>().toEqualTypeOf<OpenctiSettings>()
})

test('a settings section for a target can be passed to targetHttp, whatever its credentials', () => {
  expectTypeOf<z.output<TargetSection<'none'>>>().toExtend<TargetSettings>()
  expectTypeOf<z.output<TargetSection<'token'>>>().toExtend<TargetSettings>()
  expectTypeOf<z.output<TargetSection<'basic'>>>().toExtend<TargetSettings>()
  expectTypeOf<z.output<TargetSection<'oauth2'>>>().toExtend<TargetSettings>()
})
