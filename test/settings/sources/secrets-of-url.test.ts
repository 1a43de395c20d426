import { expect, it } from 'vitest'
import { secretsOfUrl } from '../../../src/settings/sources/secrets-of-url.ts'

const shown = (text: string, isSecret: boolean) => secretsOfUrl(text, isSecret).filter((part) => part !== '')

it('secrets of an address are the password, and what the query calls a key or token', () => {
  expect(shown('postgres://user:p%20ss@db.example/state', false)).toEqual(['p%20ss', 'p ss'])
  expect(shown('https://siem.example/v1/items?format=json&api_key=k3y&accessToken=a%2Fb', false)).toEqual([
    'k3y',
    'a/b',
  ])
  expect(shown('https://siem.example/v1/items-of-a-long-name?format=json', false)).toEqual([])
})

it('secrets of an address are also path, query and what looks made up in them, where the address is a secret', () => {
  expect(shown('HTTPS://Hooks.example/services/T0AB/0123456789abcdef?page=1&sig=abcdefgh', true)).toEqual([
    'https://hooks.example/services/T0AB/0123456789abcdef?page=1&sig=abcdefgh',
    '/services/T0AB/0123456789abcdef?page=1&sig=abcdefgh',
    'abcdefgh',
    '0123456789abcdef',
    '0123456789abcdef',
  ])
  expect(shown('http://proxy.example:3128', true)).toEqual(['http://proxy.example:3128/'])
})

it('there are no secrets of an address in what is no address', () => {
  for (const text of ['', 'a:b', 'user:password', 'https://', 'key://%'])
    expect(shown(text, true).length).toBeLessThan(2)
})
