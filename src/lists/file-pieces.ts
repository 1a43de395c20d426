import { type FileHandle } from 'node:fs/promises'

const pieceBytes = 65_536

/**
 * The first bytes of a file, in pieces; never fewer. By place, so that several can read one open file at once, and the file
 * stays open: the streams of Node would close it with the first that is broken off.
 */
export async function* filePieces(file: FileHandle, bytes: number): AsyncGenerator<Buffer> {
  for (let place = 0; place < bytes;) {
    const wanted = Math.min(pieceBytes, bytes - place)
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, place)
    if (bytesRead === 0) throw new Error('a list file was cut short while it was read')
    place += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
