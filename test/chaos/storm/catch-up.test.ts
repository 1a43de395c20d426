import { testStorm } from './storm.ts'

testStorm('catch-up')
