/**
 * STIX extension OpenCTI adds to every object: OpenCTI id and type, dates, score, and everything else STIX
 * has no field for (OpenCTI platform, types/stix-2-1-extensions.ts, `STIX_EXT_OCTI`).
 */
export const openCtiExtension = 'extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba'

/**
 * STIX extension OpenCTI adds to observables: labels, score, description, author, external references
 * (OpenCTI platform, types/stix-2-1-extensions.ts, `STIX_EXT_OCTI_SCO`).
 */
export const observableExtension = 'extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82'

/**
 * STIX extension for MITRE ATT&CK: technique id, platforms, detection (OpenCTI platform,
 * types/stix-2-1-extensions.ts, `STIX_EXT_MITRE`).
 */
export const mitreExtension = 'extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b'
