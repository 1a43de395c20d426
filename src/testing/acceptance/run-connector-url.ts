/**
 * URL of the program that runs a connector in a process. The build puts the program itself into the URL
 * (`scripts/inline-program.ts`).
 */
export function runConnectorUrl(): URL {
  return new URL('./run-connector.ts', import.meta.url)
}
