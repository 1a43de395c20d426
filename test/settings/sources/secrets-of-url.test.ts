import { expect, it } from 'vitest'
import { secretsOfUrl } from '../../../src/settings/sources/secrets-of-url.ts'

const shown = (text: string, isSecret: boolean) => secretsOfUrl(text, isSecret).filter((part) => part !== '')

it('the secrets of an address are its password and the query parameters named like a key or token', () => {
  expect(shown('postgres://user:p%20ss@db.example/state', false)).toEqual(['p%20ss', 'p ss'])
  expect(shown('postgres://user:p%20ss@one:5432,two:5432/state', true)).toEqual(['p%20ss', 'p ss'])
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

it('text that is not an address has no secrets of one', () => {
  for (const text of ['', 'a:b', 'user:password', 'https://', 'key://%'])
    expect(shown(text, true).length).toBeLessThan(2)
})
