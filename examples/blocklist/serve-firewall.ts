import { FirewallService } from './firewall-service.ts'

const firewall = await FirewallService.start({ port: 4300 })
console.log(`The firewall listens at ${firewall.url}; its token is ${firewall.token}. Stop it with Ctrl-C.`)
