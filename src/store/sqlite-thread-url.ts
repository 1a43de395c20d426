/**
 * Where the code of the thread is. The build puts the code itself into the address (`scripts/inline-thread.ts`), so that a
 * bundler takes it along without knowing of it.
 */
export function sqliteThreadUrl(): URL {
  return new URL('./sqlite-thread-main.ts', import.meta.url)
}
