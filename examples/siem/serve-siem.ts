import { SiemService } from './siem-service.ts'

const siem = await SiemService.start({ port: 4100 })
console.log(`The SIEM listens at ${siem.url}; its key is ${siem.apiKey}. Stop it with Ctrl-C.`)
