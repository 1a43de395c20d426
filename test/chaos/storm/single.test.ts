import { testStorm } from './storm.ts'

testStorm('single')
