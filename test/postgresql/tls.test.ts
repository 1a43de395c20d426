import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { PostgresqlStore } from '../../src/postgresql/postgresql-store.ts'
import { makeCertificates } from '../fixtures/certificates.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { hasPostgresql, PostgresqlServer } from './start-postgresql.ts'

describe.runIf(hasPostgresql)('PostgresqlStore over TLS', () => {
  test('verifies as much as sslmode says, and connects by TLS without it', { timeout: 60_000 }, async () => {
    const certificates = makeCertificates()
    const folder = await temporaryFolder()
    const [root, other] = [join(folder, 'root.pem'), join(folder, 'other.pem')]
    await writeFile(root, certificates.ca)
    await writeFile(other, makeCertificates().ca)
    const server = await PostgresqlServer.start()
    onTestFinished(() => server[Symbol.asyncDispose]())
    const url = await server.database()
    const open = async (parameters: string): Promise<string> => {
      const store = new PostgresqlStore({ url: `${url}?${parameters}` })
      try {
        await store.open('connector')
        return 'open'
      } catch (error) {
        return (error as Error).message
      } finally {
        await store.close()
      }
    }
    const restartWith = async (pair: keyof typeof certificates & ('server' | 'elsewhere' | 'expired')) => {
      await server.stop()
      await server.requireTls(certificates[pair])
      await server.resume()
    }
    await restartWith('server')
    expect(await open('')).toBe('open')
    expect(await open('sslmode=require')).toBe('open')
    expect(await open(`sslmode=verify-full&sslrootcert=${root}`)).toBe('open')
    expect(await open(`sslmode=verify-ca&sslrootcert=${other}`)).toMatch(/certificate/)
    expect(await open(`sslmode=require&sslrootcert=${other}`)).toMatch(/certificate/)
    expect(await open('sslmode=verify-full')).toMatch(/certificate/)
    expect(await open('sslmode=disable')).toMatch(/user or the password/)
    await restartWith('elsewhere')
    expect(await open(`sslmode=verify-ca&sslrootcert=${root}`)).toBe('open')
    expect(await open(`sslmode=verify-full&sslrootcert=${root}`)).toMatch(/certificate/)
    await restartWith('expired')
    expect(await open('sslmode=require')).toBe('open')
    expect(await open(`sslmode=verify-ca&sslrootcert=${root}`)).toMatch(/expired/)
  })
})
