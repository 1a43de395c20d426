import { JiraService } from './jira-service.ts'

const jira = await JiraService.start({ port: 4300 })
console.log(
  `Jira listens at ${jira.url}; user ${jira.username}, password ${jira.password}. Stop it with Ctrl-C.`,
)
