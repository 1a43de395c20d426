/**
 * URL of the thread's code. The build puts the code itself into the URL (`scripts/inline-program.ts`), so that
 * bundlers include it without any configuration.
 */
export function sqliteThreadUrl(): URL {
  return new URL('./sqlite-thread-main.ts', import.meta.url)
}
