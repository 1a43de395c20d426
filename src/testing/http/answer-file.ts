import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type FileStorage } from '../knowledge/file-storage.ts'
import { canRead } from '../live/access.ts'
import { type LiveServer } from '../live/live-server.ts'
import { type FileRequest, type RequestLog } from './request-log.ts'

/**
 * `GET /storage/get/…`. Missing files and files off limits to the user get the same answer
 * (http/httpPlatform.js).
 *
 * @param path decoded path after `/storage/get/`.
 */
export async function answerFile(
  request: IncomingMessage,
  response: ServerResponse,
  { live, files, requests }: FileSources,
  path: string,
): Promise<void> {
  const entry: FileRequest = { kind: 'file', path, headers: request.headers, atMs: live.clock.now() }
  requests.add(entry)
  const user = live.access.userOf(request.headers.authorization)
  const file = files.find(path)
  const owner = file && live.platform.knowledge.find(file.ownerId)
  if (user === undefined) response.writeHead(403).end('Forbidden')
  else if (file === undefined || owner === undefined || !canRead(user, owner.object)) {
    response.writeHead(500, { 'Content-Type': 'application/json; charset=utf-8' })
    response.end('{"status":"error","error":"UnknownError: Http call interceptor fail"}')
  } else {
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': 'attachment',
    })
    // Without a length, because the platform pipes it.
    response.end(file.content)
  }
  requests.answered(entry, response.statusCode)
  await once(response, 'close')
}

/** Sources of file responses. */
export interface FileSources {
  readonly live: LiveServer
  readonly files: FileStorage
  readonly requests: RequestLog
}
