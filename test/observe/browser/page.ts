import { type DevTools } from './dev-tools.ts'

/** One tab of a browser, with what went wrong in it and what it has asked for. */
export class Page {
  /** Errors of scripts, of the console, and violations of the page's policy. */
  readonly problems: string[] = []
  readonly #tools: DevTools
  readonly #sessionId: string
  readonly #requests = new Map<unknown, string>()
  #onLoad: (() => void) | undefined

  private constructor(tools: DevTools, sessionId: string) {
    this.#tools = tools
    this.#sessionId = sessionId
    tools.listen(sessionId, (method, params) => this.#note(method, params))
  }

  static async attached(tools: DevTools, sessionId: string, javaScript: boolean): Promise<Page> {
    const page = new Page(tools, sessionId)
    for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Audits']) await page.#send(`${domain}.enable`)
    await page.#send('Emulation.setScriptExecutionDisabled', { value: !javaScript })
    return page
  }

  /** Addresses that it has asked for, without those that its policy kept it from. */
  get requests(): readonly string[] {
    return [...this.#requests.values()]
  }

  /** Resolves when the page has loaded. */
  async go(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => (this.#onLoad = resolve))
    const { errorText } = (await this.#send('Page.navigate', { url })) as { errorText?: string }
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`)
    await loaded
  }

  /** What an expression is in the page, as JSON can carry it. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = (await this.#send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as { result: { value: Value }; exceptionDetails?: { exception?: { description?: string } } }
    if (exceptionDetails !== undefined)
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? 'it threw'}`)
    return result.value
  }

  /** What a person reads: everything that is shown, in order. */
  text(selector = 'body'): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`)
  }

  /** What stands in a field of the status page. */
  field(name: string): Promise<string> {
    return this.text(`[data-field="${name}"]`)
  }

  async look(options: { width: number; height?: number; dark?: boolean; scale?: number }): Promise<void> {
    const { width, height = 900, dark = false, scale = 1 } = options
    await this.#send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: scale,
      mobile: false,
    })
    const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]
    await this.#send('Emulation.setEmulatedMedia', { features })
  }

  #send(method: string, params: Readonly<Record<string, unknown>> = {}) {
    return this.#tools.send(method, params, this.#sessionId)
  }

  #note(method: string, params: Readonly<Record<string, unknown>>): void {
    switch (method) {
      case 'Page.loadEventFired':
        this.#onLoad?.()
        return
      case 'Network.requestWillBeSent':
        this.#requests.set(params['requestId'], (params['request'] as { url: string }).url)
        return
      case 'Network.loadingFailed':
        if (params['blockedReason'] === 'csp') this.#requests.delete(params['requestId'])
        return
      case 'Runtime.exceptionThrown':
      case 'Audits.issueAdded':
        this.problems.push(JSON.stringify(params))
        return
      case 'Runtime.consoleAPICalled':
        if (params['type'] === 'error' || params['type'] === 'warning')
          this.problems.push(JSON.stringify(params))
        return
      case 'Log.entryAdded': {
        const { level, text } = params['entry'] as { level: string; text: string }
        if (level === 'error' || level === 'warning') this.problems.push(text)
      }
    }
  }
}
