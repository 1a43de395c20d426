import { FalconService } from './falcon-service.ts'

const falcon = await FalconService.start({ port: 4400 })
console.log(
  `Falcon listens at ${falcon.url}; client ${falcon.clientId}, secret ${falcon.clientSecret}. Stop it with Ctrl-C.`,
)
