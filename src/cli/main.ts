#!/usr/bin/env node
import { Command } from 'commander'
import { simulateCommand } from './simulate.ts'

await new Command('opencti-stream')
  .description('Tools for OpenCTI stream connectors.')
  .addCommand(simulateCommand())
  .parseAsync()
