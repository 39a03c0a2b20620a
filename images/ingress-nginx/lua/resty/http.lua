-- Stands in for resty.http, which only OCSP stapling uses (off by default).
local MESSAGE = "OCSP stapling is not part of this image"
local _M = {}
local mt = { __index = _M }

function _M.new() return setmetatable({}, mt) end
function _M.set_timeout() end
function _M.set_timeouts() end
function _M.parse_uri() return nil, MESSAGE end
function _M.request_uri() return nil, MESSAGE end

return _M
