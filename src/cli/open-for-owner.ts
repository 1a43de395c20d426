import { type FileHandle, open } from 'node:fs/promises'

/**
 * Opens a file that from then on only its owner may read, also when it was there before: what a stream or a state holds can
 * be confidential. A device or a pipe keeps its rights, which are not those of what is written.
 */
export async function openForOwner(path: string, flags: 'w' | 'a+'): Promise<FileHandle> {
  const file = await open(path, flags, 0o600)
  try {
    if ((await file.stat()).isFile()) await file.chmod(0o600)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}
