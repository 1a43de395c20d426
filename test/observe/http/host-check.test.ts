import { expect, test } from 'vitest'
import { isOwnHost } from '../../../src/observe/http/host-check.ts'

const names = new Set(['connector.soc.example', '127.0.0.1'])

test.each([
  'localhost',
  'localhost:9096',
  'LOCALHOST:9096',
  'localhost.:9096',
  'siem.localhost',
  '127.0.0.1',
  '127.8.9.1:80',
  '[::1]:9096',
  '[::1]',
  // An address is nobody's name: the pod's own, or that of the machine around a container.
  '10.42.0.17:9096',
  '[fd00::17]:9096',
  'connector.soc.example',
  'Connector.SOC.example:443',
])('answers to %s', (header) => {
  expect(isOwnHost(header, names)).toBe(true)
})

test.each([
  undefined,
  '',
  'attacker.example',
  'attacker.example:9096',
  'localhost.attacker.example',
  'notlocalhost',
  '127.0.0.1.attacker.example',
  '127.0.0.1@attacker.example',
  'attacker.example/localhost',
  'connector.soc.example.attacker.example',
  '[attacker.example]',
  'localhost:port',
  'localhost attacker.example',
  '127.1',
  '0x7f000001',
])('does not answer to %s', (header) => {
  expect(isOwnHost(header, names)).toBe(false)
})
