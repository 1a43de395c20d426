import { parentPort, workerData } from 'node:worker_threads'
import { openStateFile, SqliteConnection } from './sqlite-connection.ts'
import { type SqliteThreadAnswer, type SqliteThreadCommit } from './sqlite-thread.ts'

// What runs in the thread of a SqliteThread: a connection of its own to the state file whose path it is given.
const connection = new SqliteConnection(openStateFile(workerData as string, { readOnly: false }))

parentPort!.on('message', (commit: SqliteThreadCommit | undefined) => {
  if (commit === undefined) {
    connection.close()
    parentPort!.close()
    return
  }
  parentPort!.postMessage(answerTo(commit))
})

function answerTo({ changes, number }: SqliteThreadCommit): SqliteThreadAnswer {
  try {
    connection.commit(changes, number)
    return {}
  } catch (error) {
    // Of an error, a message between threads carries no properties of its own.
    const { message, errcode } = error as { message: string; errcode?: number }
    return { failure: { message, errcode } }
  }
}
