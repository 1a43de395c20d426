import { expect, it } from 'vitest'
import { secretsOfUrl } from '../../../src/settings/sources/secrets-of-url.ts'

const shown = (text: string, isSecret: boolean) => secretsOfUrl(text, isSecret).filter((part) => part !== '')

it('the secrets of an address are its password and the query parameters named like a key or token', () => {
  expect(shown('postgres://user:p%20ss@db.example/state', false)).toEqual(['p%20ss', 'p ss'])
  expect(shown('postgres://user:p%20ss@one:5432,two:5432/state', true)).toEqual(['p%20ss', 'p ss'])
  expect(shown('postgres://user@one:5432,two:5432/state?password=p%20ss', true)).toEqual(['p ss'])
  expect(shown('https://siem.example/v1/items?format=json&api_key=k3y&accessToken=a%2Fb', false)).toEqual([
    'k3y',
    'a/b',
  ])
  expect(shown('https://siem.example/v1/items-of-a-long-name?format=json', false)).toEqual([])
})

it('the secrets of a secret address also include its path, query, and parts that look generated', () => {
  expect(shown('HTTPS://Hooks.example/services/T0AB/0123456789abcdef?page=1&sig=abcdefgh', true)).toEqual([
    'https://hooks.example/services/T0AB/0123456789abcdef?page=1&sig=abcdefgh',
    '/services/T0AB/0123456789abcdef?page=1&sig=abcdefgh',
    'abcdefgh',
    '0123456789abcdef',
    '0123456789abcdef',
  ])
  expect(shown('http://proxy.example:3128', true)).toEqual(['http://proxy.example:3128/'])
})

it('the name of a database and its options are no secrets, although the address is one', () => {
  const name = 'state_of_all_stream_connectors'
  expect(shown(`postgres://user:p%20ss@db:5432/${name}?sslmode=verify-full`, true)).toEqual([
    `postgres://user:p%20ss@db:5432/${name}?sslmode=verify-full`,
    'p%20ss',
    'p ss',
  ])
  for (const address of [
    `postgresql://user@db/${name}?options=-c%20search_path%3Dconnectors`,
    `rediss://cache.example:6380/0?protocol_version=3`,
    `mongodb+srv://db.example/${name}`,
    `amqps://queue.example/${name}`,
  ])
    expect(shown(address, true)).toEqual([new URL(address).href])
})

it('text that is not an address has no secrets of one', () => {
  for (const text of ['', 'a:b', 'user:password', 'https://', 'key://%'])
    expect(shown(text, true).length).toBeLessThan(2)
})
