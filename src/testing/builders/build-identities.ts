import { buildObject, dateOf, seedOf, type BuildOptions, type BuiltObject } from './build-object.ts'
import { sampleName } from './sample-values.ts'

/**
 * Builds an organization. Set `identity_class` for a person (`individual`), a sector (`class`), or a system.
 */
export function buildIdentity(options: BuildOptions = {}): BuiltObject<'identity'> {
  const seed = seedOf(options)
  return buildObject(
    'identity',
    {
      name: `${sampleName(seed)} CERT`,
      identity_class: 'organization',
      created: dateOf(seed),
      modified: dateOf(seed),
      description: `An invented organization, number ${seed}.`,
      contact_information: `cert-${seed}@mail.example`,
    },
    options,
  )
}

/** Builds a country. Set `x_opencti_location_type` for another place (`City`, `Region`, `Position`). */
export function buildLocation(options: BuildOptions = {}): BuiltObject<'location'> {
  const seed = seedOf(options)
  return buildObject(
    'location',
    {
      name: `Land of ${sampleName(seed)}`,
      country: 'XX',
      created: dateOf(seed),
      modified: dateOf(seed),
      x_opencti_location_type: 'Country',
    },
    options,
  )
}
