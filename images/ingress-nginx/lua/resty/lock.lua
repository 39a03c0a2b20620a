-- Stands in for resty.lock on a shared dict.
-- Used API (ewma): lock:new(dict, {timeout, exptime}), :lock(key), :unlock()
local setmetatable = setmetatable
local shared, sleep, now = ngx.shared, ngx.sleep, ngx.now

local _M = {}
local mt = { __index = _M }

function _M.new(_, dict_name, opts)
  local dict = shared[dict_name]
  if not dict then return nil, "dictionary not found" end
  opts = opts or {}
  return setmetatable({
    dict = dict,
    timeout = opts.timeout or 5,
    exptime = opts.exptime or 30,
  }, mt)
end

function _M.lock(self, key)
  if self.key then return nil, "locked" end
  local waited, step = 0, 0.001
  while true do
    local ok, err = self.dict:add(key, true, self.exptime)
    if ok then
      self.key = key
      return waited
    end
    if err ~= "exists" then return nil, err end
    if waited >= self.timeout then return nil, "timeout" end
    sleep(step)
    waited = waited + step
    step = step * 2
    if step > 0.5 then step = 0.5 end
  end
end

function _M.unlock(self)
  local key = self.key
  if not key then return nil, "unlocked" end
  self.key = nil
  local ok, err = self.dict:delete(key)
  if not ok then return nil, err end
  return 1
end

return _M
