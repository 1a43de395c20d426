import { WebhookReceiver } from './webhook-receiver.ts'

const receiver = await WebhookReceiver.start({ port: 4200 })
console.log(`The receiver listens at ${receiver.url}. Stop it with Ctrl-C.`)
receiver.onEvent = ({ event, entity }) => console.log(event, entity)
