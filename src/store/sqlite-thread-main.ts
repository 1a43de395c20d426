import { parentPort, workerData } from 'node:worker_threads'
import { openStateFile, SqliteConnection } from './sqlite-connection.ts'
import { type SqliteThreadAnswer } from './sqlite-thread.ts'
import { type StateChanges } from './state-store.ts'

// What runs in the thread of a SqliteThread: a connection of its own to the state file whose path it is given.
const connection = new SqliteConnection(openStateFile(workerData as string, { readOnly: false }))

parentPort!.on('message', (changes: StateChanges | undefined) => {
  if (changes === undefined) {
    connection.close()
    parentPort!.close()
    return
  }
  parentPort!.postMessage(answerTo(changes))
})
parentPort!.postMessage({} satisfies SqliteThreadAnswer)

function answerTo(changes: StateChanges): SqliteThreadAnswer {
  try {
    connection.commit(changes)
    return {}
  } catch (error) {
    // Of an error, a message between threads carries no properties of its own.
    const { message, errcode } = error as { message: string; errcode?: number }
    return { failure: { message, errcode } }
  }
}
