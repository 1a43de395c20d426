import { createHash } from 'node:crypto'

/**
 * A Lua script that Redis runs as one step. Redis does not undo what a failed script has written, so a script
 * checks everything before its first write.
 */
export class RedisScript {
  readonly source: string
  /** Redis remembers scripts under this digest until it restarts. */
  readonly sha1: string

  constructor(source: string) {
    this.source = source
    this.sha1 = createHash('sha1').update(source).digest('hex')
  }
}
