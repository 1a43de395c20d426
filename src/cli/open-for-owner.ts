import { type FileHandle, open } from 'node:fs/promises'

/**
 * Opens a file and makes it readable by its owner only, even if it existed before, because streams and states
 * can be confidential. Devices and pipes keep their permissions.
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
