/**
 * Permissible Actions Protocol markings, which restrict what may be done with knowledge and not who may see
 * it: the ids OpenCTI derives from their names (OpenCTI platform, schema/identifier.js), and those of OASIS
 * (cti-stix-common-objects, extension definition of PAP).
 */
const papMarkingIds: ReadonlySet<string> = new Set(
  [
    '4cdff7eb-acb8-543f-8573-829eb9fe8b34',
    'acec93c6-8507-5244-80f9-adf8e4157040',
    '89484dde-e3d2-547f-a6c6-d14824429eb1',
    'a6f20d4d-0360-59b6-ba22-3b48707828b1',
    '4e4e3b84-de45-53df-9d9b-b21207699fd8',
    'ad15a0cd-55b6-4588-a14c-a66105329b92',
    'a3bea94c-b469-41dc-9cfe-d6e7daba7730',
    'c43594d1-4b11-4c59-93ab-1c9b14d53ce9',
    '60f8932b-e51e-4458-b265-a2e8be9a80ab',
    '740d36e5-7714-4c30-961a-3ae632ceee0e',
  ].map((id) => `marking-definition--${id}`),
)

/** Whether a marking `markingsOf` calls unknown is a Permissible Actions Protocol marking, by id or name. */
export function isPapMarking(marking: string): boolean {
  return papMarkingIds.has(marking) || /^PAP:(?:CLEAR|WHITE|GREEN|AMBER|RED)$/i.test(marking)
}
