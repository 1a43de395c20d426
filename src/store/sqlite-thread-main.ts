import { parentPort, workerData } from 'node:worker_threads'
import { openStateFile, SqliteConnection } from './sqlite-connection.ts'
import { type SqliteThreadAnswer, type SqliteThreadCommit } from './sqlite-thread.ts'

// Runs in the thread of a SqliteThread, with a separate connection to the state file whose path it receives.
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
    // Messages between threads do not carry an error's custom properties.
    const { message, errcode } = error as { message: string; errcode?: number }
    return { failure: { message, errcode } }
  }
}
