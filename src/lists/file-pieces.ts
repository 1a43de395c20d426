import { type FileHandle } from 'node:fs/promises'

const pieceBytes = 65_536

/**
 * The first bytes of a file, in pieces; never fewer. Reads by position, so that several readers can share an
 * open file, and the file stays open: Node's streams would close it with the first one canceled.
 */
export async function* filePieces(file: FileHandle, bytes: number): AsyncGenerator<Buffer> {
  for (let place = 0; place < bytes;) {
    const wanted = Math.min(pieceBytes, bytes - place)
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, place)
    if (bytesRead === 0) throw new Error('a list file was truncated while it was being read')
    place += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
