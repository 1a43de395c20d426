import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Where Debian puts the programs. */
const setup = '/usr/sbin/rt-setup-database-5'
const program = '/usr/share/request-tracker5/libexec/rt-server'

/** Rights of the connector's user. */
const rights = [
  'SeeQueue',
  'ShowTicket',
  'CreateTicket',
  'ModifyTicket',
  'SeeCustomField',
  'ModifyCustomField',
]

/**
 * Initial data of RT: a queue with the custom fields, one without, and one that the connector's user may not see; that user,
 * and one without each of the rights; and an auth token for each user.
 */
const initialData = String.raw`
our @Queues = map { { Name => $_ } } 'Incidents', 'No fields', 'Hidden';
our @CustomFields = map {
  { Name => $_->[0], Type => $_->[1], LookupType => 'RT::Queue-RT::Ticket', ApplyTo => ['Incidents'] }
} ['OpenCTI ID', 'FreeformSingle'], ['OpenCTI Type', 'FreeformSingle'], ['OpenCTI State', 'FreeformSingle'],
  ['OpenCTI Description', 'Text'], ['TLP', 'FreeformSingle'], ['Labels', 'FreeformSingle'];
my @rights = qw(${rights.join(' ')});
my %lacks = (opencti => '', map { ("without-$_" => $_) } @rights);
our @Users = map { { Name => $_, Privileged => 1 } } sort keys %lacks;
our @ACL = map {
  my $user = $_;
  map { my $right = $_; map { { Right => $right, UserId => $user, Queue => $_ } } 'Incidents', 'No fields' }
    grep { $_ ne $lacks{$user} } @rights;
} sort keys %lacks;
our @Final = (sub {
  open my $file, '>', $ENV{TOKEN_FILE} or die $!;
  for my $name ('root', sort keys %lacks) {
    my $user = RT::User->new(RT->SystemUser);
    $user->Load($name);
    my ($id, $message, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->Id);
    die $message unless $id;
    print $file "$name $token\n";
  }
});
1;
`

/**
 * Starts Request Tracker 5, as Debian packages it, on loopback. The database is prepared once, which takes some ten seconds, and
 * copied for each start.
 *
 * @throws Error if it is not installed.
 */
export async function startRequestTracker({ port }: RequestTrackerOptions = {}): Promise<RequestTracker> {
  if (!existsSync(setup) || !existsSync(program))
    throw new Error(
      'Request Tracker 5 is not installed. Install it: apt-get install --no-install-recommends request-tracker5 rt5-db-sqlite rt5-standalone starlet',
    )
  const prepared = await prepare()
  const folder = await mkdtemp(join(tmpdir(), 'request-tracker-'))
  await copyFile(join(prepared, 'rt.sqlite'), join(folder, 'rt.sqlite'))
  const server = new RequestTracker(prepared, folder, port ?? (await freePort()))
  await server.start()
  return server
}

/** How Request Tracker is started; everything has a default. */
export interface RequestTrackerOptions {
  /** Default: a free port. */
  readonly port?: number
}

/** A running Request Tracker. */
export class RequestTracker implements AsyncDisposable {
  readonly #prepared: string
  readonly #folder: string
  readonly #port: number
  #process: ChildProcess | undefined
  #tokens: ReadonlyMap<string, string> = new Map()

  constructor(prepared: string, folder: string, port: number) {
    this.#prepared = prepared
    this.#folder = folder
    this.#port = port
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Settings of the connector. */
  get env(): Readonly<Record<string, string>> {
    return {
      REQUEST_TRACKER_URL: this.url,
      REQUEST_TRACKER_TOKEN: this.tokenOf('opencti'),
      REQUEST_TRACKER_QUEUE: 'Incidents',
    }
  }

  /** Auth token of a user: `opencti`, `root`, or one without a right, such as `without-CreateTicket`. */
  tokenOf(user: string): string {
    return this.#tokens.get(user)!
  }

  async start(): Promise<void> {
    const tokens = (await readFile(join(this.#prepared, 'tokens'), 'utf8')).trim().split('\n')
    this.#tokens = new Map(tokens.map((line) => line.split(' ') as [string, string]))
    const options = ['--host', '127.0.0.1', '--port', String(this.#port), '--max-workers', '4']
    const env = await configure(this.#folder, this.#port)
    // Ends with this process, however that ends.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', program, ...options], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#process = child
    let said = ''
    child.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-2000)))
    while (child.exitCode === null) {
      const response = await fetch(`${this.url}/REST/2.0/rt`).catch(() => undefined)
      if (response?.status === 401) return
      await setTimeout(100)
    }
    throw new Error(`Request Tracker did not start: ${said}`)
  }

  /**
   * What each ticket says, by the id of its entity at OpenCTI; of two for one entity, both. Tickets of entities that are gone are
   * left out.
   */
  async read(): Promise<Map<string, string[]>> {
    const fields = 'Subject,Status,Priority,CustomFields'
    const tickets = new Map<string, string[]>()
    for (let page = 1, pages = 1; page <= pages; page++) {
      const path = `tickets?query=id%20%3E%200&orderby=id&per_page=100&page=${page}&fields=${fields}`
      const found = (await this.call('GET', path)) as FoundTickets
      pages = found.pages
      for (const { Subject, Status, Priority, CustomFields } of found.items) {
        const custom = Object.fromEntries(
          CustomFields.map(({ name, values }) => [name, values[0] ?? ''] as const).toSorted(),
        )
        const { 'OpenCTI ID': id = '', 'OpenCTI State': state, ...rest } = custom
        if (state !== 'present') continue
        const isOpen = ['new', 'open', 'stalled'].includes(Status)
        const ticket = JSON.stringify({ Subject, isOpen, Priority, ...rest })
        tickets.set(id, [...(tickets.get(id) ?? []), ticket])
      }
    }
    return tickets
  }

  /** Takes everything away that was written since the start. */
  async reset(): Promise<void> {
    using database = new DatabaseSync(join(this.#folder, 'rt.sqlite'), { timeout: 30_000 })
    database.exec(`ATTACH '${join(this.#prepared, 'rt.sqlite')}' AS prepared; BEGIN IMMEDIATE`)
    const tables = database.prepare("SELECT name FROM prepared.sqlite_master WHERE type = 'table'").all()
    for (const { name } of tables)
      database.exec(`DELETE FROM main."${name}"; INSERT INTO main."${name}" SELECT * FROM prepared."${name}"`)
    database.exec('COMMIT')
  }

  /** Calls REST 2 as a user who may do everything. */
  async call(method: string, path: string, body?: object): Promise<unknown> {
    const headers = { authorization: `token ${this.tokenOf('root')}`, 'content-type': 'application/json' }
    const json = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${this.url}/REST/2.0/${path}`, { method, headers, ...json })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`)
    return JSON.parse(text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process?.exitCode === null) {
      this.#process.kill()
      await once(this.#process, 'exit')
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

interface FoundTickets {
  readonly pages: number
  readonly items: readonly {
    readonly Subject: string
    readonly Status: string
    readonly Priority: string
    readonly CustomFields: readonly { readonly name: string; readonly values: readonly (string | null)[] }[]
  }[]
}

/** Makes the database, if nobody did for this version and this initial data; answers in which folder it is. */
async function prepare(): Promise<string> {
  const version = await readFile('/usr/share/request-tracker5/lib/RT/Generated.pm')
  const key = createHash('sha256').update(version).update(initialData).digest('hex').slice(0, 16)
  const folder = join(tmpdir(), `request-tracker-prepared-${key}`)
  if (existsSync(folder)) return folder
  const draft = await mkdtemp(`${folder}-`)
  const env = { ...(await configure(draft, 80)), TOKEN_FILE: join(draft, 'tokens') }
  await writeFile(join(draft, 'initialdata'), initialData)
  const run = promisify(execFile)
  await run(setup, ['--action', 'init', '--skip-create'], { env })
  await run(setup, ['--action', 'insert', '--skip-create', '--datafile', join(draft, 'initialdata')], { env })
  try {
    await rename(draft, folder)
  } catch {
    // Another process was faster.
    await rm(draft, { recursive: true })
  }
  return folder
}

/** Writes the configuration of RT. The environment says where it is. */
async function configure(folder: string, port: number): Promise<NodeJS.ProcessEnv> {
  const file = join(folder, 'RT_SiteConfig.pm')
  const empty = join(folder, 'RT_SiteConfig.d')
  await mkdir(empty)
  await writeFile(
    file,
    `Set($rtname, 'example.test');
Set($Organization, 'example.test');
Set($WebDomain, '127.0.0.1');
Set($WebPort, ${port});
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '${folder}/rt.sqlite');
$RT::MasonDataDir = '${folder}/mason';
Set($MailCommand, 'sendmailpipe');
Set($SendmailPath, '/bin/true');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'error');
Set($BcryptCost, 4);
1;
`,
  )
  return { PATH: process.env['PATH'], RT_SITE_CONFIG: file, RT_SITE_CONFIG_DIR: empty }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

if (process.argv[1] === import.meta.filename) {
  const { url, env } = await startRequestTracker({ port: 4500 })
  console.error(
    `Request Tracker listens at ${url}; sign in as root with "password". Stop it with Ctrl-C. A connector to it needs these settings:`,
  )
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}='${value}'`)
}
