import { execFile } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { startSimulator } from '../fixtures/stage.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const program = fileURLToPath(new URL('fixtures/connector.ts', import.meta.url))

test('a program whose port is in use says so and exits with 1', async () => {
  const simulator = await startSimulator()
  const directory = await temporaryFolder()
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as AddressInfo
  const env = {
    ...simulator.environment(),
    CONNECTOR_STATE_DIR: directory,
    CONNECTOR_HEALTH_PORT: String(port),
  }
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile(process.execPath, [program], { env, cwd: directory, timeout: 20_000 }, (error, _, text) =>
      resolve({ code: error?.code, stderr: text }),
    )
  })
  expect(stderr).toContain(`CONNECTOR_HEALTH_PORT: port ${port} of 127.0.0.1 is in use by another program.`)
  expect(code).toBe(1)
})
