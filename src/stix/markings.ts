/** The five names of the Traffic Light Protocol as OpenCTI writes them, from the most open to the strictest. */
export const tlpNames = ['TLP:CLEAR', 'TLP:GREEN', 'TLP:AMBER', 'TLP:AMBER+STRICT', 'TLP:RED'] as const

/** One of the five names of the Traffic Light Protocol. */
export type Tlp = (typeof tlpNames)[number]

/**
 * The STIX id of each TLP marking. They are the same on every platform: OpenCTI hard-codes them, `TLP:WHITE` under
 * the id of `TLP:CLEAR` (OpenCTI platform, schema/identifier.js).
 */
export const tlpMarkingIds: Readonly<Record<Tlp, string>> = {
  'TLP:CLEAR': 'marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9',
  'TLP:GREEN': 'marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da',
  'TLP:AMBER': 'marking-definition--f88d31f6-486f-44da-b317-01333bde0b82',
  'TLP:AMBER+STRICT': 'marking-definition--826578e1-40ad-459f-bc73-ede076f81f37',
  'TLP:RED': 'marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed',
}
